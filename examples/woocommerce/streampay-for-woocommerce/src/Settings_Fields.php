<?php
/**
 * The fields of the settings page.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

/** In the form that WooCommerce's settings API takes. */
final class Settings_Fields {

	/** @return array<string, array<string, mixed>> */
	public static function all(): array {
		return array_merge( self::shown(), self::connection(), self::behaviour() );
	}

	/** @return array<string, array<string, mixed>> */
	private static function shown(): array {
		return array(
			'enabled'     => array(
				'title'   => __( 'Enable', 'streampay-for-woocommerce' ),
				'type'    => 'checkbox',
				'label'   => __( 'Offer StreamPay at the checkout', 'streampay-for-woocommerce' ),
				'default' => 'no',
			),
			'title'       => array(
				'title'   => __( 'Title', 'streampay-for-woocommerce' ),
				'type'    => 'safe_text',
				'default' => __( 'Card or crypto', 'streampay-for-woocommerce' ),
			),
			'description' => array(
				'title'   => __( 'Description', 'streampay-for-woocommerce' ),
				'type'    => 'textarea',
				'default' => __( 'You pay on our payment page and come back here.', 'streampay-for-woocommerce' ),
			),
		);
	}

	/** @return array<string, array<string, mixed>> */
	private static function connection(): array {
		$secret = __( 'whsec_…, one in a line: while a secret is being rotated, the new one and the old one.', 'streampay-for-woocommerce' );
		return array(
			'base_url'     => array(
				'title'       => __( 'Gateway URL', 'streampay-for-woocommerce' ),
				'type'        => 'text',
				'placeholder' => 'https://pay.example.com',
				'description' => __( 'The address of your gateway, without /v1.', 'streampay-for-woocommerce' ),
				'default'     => '',
			),
			'testmode'     => array(
				'title'   => __( 'Test mode', 'streampay-for-woocommerce' ),
				'type'    => 'checkbox',
				'label'   => __( 'Use the test key; no real money moves', 'streampay-for-woocommerce' ),
				'default' => 'yes',
			),
			'test_key'     => array(
				'title'   => __( 'Test key', 'streampay-for-woocommerce' ),
				'type'    => 'password',
				'default' => '',
			),
			'test_secrets' => array(
				'title'       => __( 'Test webhook secrets', 'streampay-for-woocommerce' ),
				'type'        => 'textarea',
				'description' => $secret,
				'default'     => '',
			),
			'live_key'     => array(
				'title'   => __( 'Live key', 'streampay-for-woocommerce' ),
				'type'    => 'password',
				'default' => '',
			),
			'live_secrets' => array(
				'title'       => __( 'Live webhook secrets', 'streampay-for-woocommerce' ),
				'type'        => 'textarea',
				'description' => $secret,
				'default'     => '',
			),
			'webhook'      => array(
				'title'       => __( 'Webhook', 'streampay-for-woocommerce' ),
				'type'        => 'title',
				/* translators: %s: a URL */
				'description' => sprintf( __( 'Add this address as a webhook endpoint at the gateway: %s', 'streampay-for-woocommerce' ), '<code>' . esc_html( Plugin::webhook_url() ) . '</code>' ) . '<br>' . esc_html( Self_Test::health_line() ),
			),
			'self_test'    => array(
				'title' => __( 'Test these settings', 'streampay-for-woocommerce' ),
				'type'  => 'self_test',
			),
		);
	}

	/** @return array<string, array<string, mixed>> */
	private static function behaviour(): array {
		$labels = array(
			'on-hold'   => __( 'On hold', 'streampay-for-woocommerce' ),
			'pending'   => __( 'Pending payment', 'streampay-for-woocommerce' ),
			'cancelled' => __( 'Cancelled', 'streampay-for-woocommerce' ),
			'failed'    => __( 'Failed: the customer may pay again', 'streampay-for-woocommerce' ),
		);
		$titles = array(
			'state_unconfirmed' => __( 'While money is on its way', 'streampay-for-woocommerce' ),
			'state_underpaid'   => __( 'When less than due came', 'streampay-for-woocommerce' ),
			'state_expired'     => __( 'When the time to pay is over', 'streampay-for-woocommerce' ),
		);
		$fields = array(
			'capture_method' => array(
				'title'   => __( 'Cards', 'streampay-for-woocommerce' ),
				'type'    => 'select',
				'default' => 'automatic',
				'options' => array(
					'automatic' => __( 'Take the money at once', 'streampay-for-woocommerce' ),
					'manual'    => __( 'Only hold it; capture it at the gateway', 'streampay-for-woocommerce' ),
				),
			),
		);
		foreach ( Settings::STATES as $name => $choices ) {
			$fields[ $name ] = array(
				'title'   => $titles[ $name ],
				'type'    => 'select',
				'default' => $choices[0],
				'options' => array_intersect_key( $labels, array_flip( $choices ) ),
			);
		}
		$fields['debug'] = array(
			'title'   => __( 'Debug log', 'streampay-for-woocommerce' ),
			'type'    => 'checkbox',
			'label'   => __( 'Log what each webhook did, with ids only (WooCommerce, Status, Logs, streampay)', 'streampay-for-woocommerce' ),
			'default' => 'no',
		);
		return $fields;
	}
}
