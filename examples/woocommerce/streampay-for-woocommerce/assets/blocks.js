// The payment method in the block checkout: a title and a sentence; the shopper pays on the gateway's page.
( function ( wc, wp ) {
	'use strict';
	var settings = wc.wcSettings;
	var known = settings.getPaymentMethodData ? settings.getPaymentMethodData( 'streampay', null ) : null;
	var method = known || settings.getSetting( 'streampay_data', {} );
	var decode = wp.htmlEntities.decodeEntities;
	var title = decode( method.title || '' ) || 'StreamPay';

	function Label( props ) {
		var Shown = props.components && props.components.PaymentMethodLabel;
		return Shown ? wp.element.createElement( Shown, { text: title } ) : wp.element.createElement( 'span', null, title );
	}

	function Content() {
		return wp.element.createElement( 'div', null, decode( method.description || '' ) );
	}

	wc.wcBlocksRegistry.registerPaymentMethod( {
		name: 'streampay',
		label: wp.element.createElement( Label ),
		ariaLabel: title,
		content: wp.element.createElement( Content ),
		edit: wp.element.createElement( Content ),
		canMakePayment: function () {
			return true;
		},
		supports: { features: method.supports || [ 'products' ] },
	} );
} )( window.wc, window.wp );
