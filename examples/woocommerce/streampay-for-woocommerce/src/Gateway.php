<?php
/**
 * The payment method, as WooCommerce knows it.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

use Exception;
use InvalidArgumentException;
use WC_Order;
use WC_Payment_Gateway;
use WP_Error;

/** Settings, checkout and refunds. */
final class Gateway extends WC_Payment_Gateway {

	/** Set up what WooCommerce reads. */
	public function __construct() {
		$this->id                 = Plugin::ID;
		$this->method_title       = __( 'StreamPay', 'streampay-for-woocommerce' );
		$this->method_description = __( 'Cards and crypto through the payment gateway that you run yourself. Shoppers pay on its page.', 'streampay-for-woocommerce' );
		$this->has_fields         = false;
		$this->supports           = array( 'products', 'refunds' );
		$this->init_form_fields();
		$this->init_settings();
		$this->title       = (string) $this->get_option( 'title' );
		$this->description = (string) $this->get_option( 'description' );
		if ( 'no' !== $this->get_option( 'testmode' ) ) {
			$this->description = trim( $this->description . ' ' . __( 'TEST MODE: no real money is taken.', 'streampay-for-woocommerce' ) );
		}
		add_action( 'woocommerce_update_options_payment_gateways_' . $this->id, array( $this, 'process_admin_options' ) );
	}

	/** Set the fields of the settings page. */
	public function init_form_fields(): void {
		$this->form_fields = Settings_Fields::all();
	}

	/** Tell whether the method can be offered. */
	public function is_available(): bool {
		return parent::is_available() && array() === $this->facts()->problems();
	}

	/** Tell whether switching the method on must lead to its settings first. */
	public function needs_setup(): bool {
		return array() !== $this->facts()->problems();
	}

	/** Store what was typed, and show what was refused beside the page's other errors. */
	public function process_admin_options(): bool {
		$is_saved = parent::process_admin_options();
		foreach ( $this->get_errors() as $error ) {
			\WC_Admin_Settings::add_error( $error );
		}
		return (bool) $is_saved;
	}

	/**
	 * Check the gateway's address when it is saved.
	 *
	 * @param string $key   The field.
	 * @param mixed  $value What was typed.
	 * @throws Exception It cannot be one; WooCommerce then keeps the old one and shows the message.
	 */
	public function validate_base_url_field( string $key, mixed $value ): string {
		$url     = trim( (string) $value );
		$problem = '' === $url ? null : Settings::address_problem( $url, false );
		if ( null !== $problem ) {
			throw new Exception( esc_html( $problem ) );
		}
		return rtrim( esc_url_raw( $url ), '/' );
	}

	/**
	 * Check webhook secrets when they are saved.
	 *
	 * @param string $key   The field.
	 * @param mixed  $value What was typed.
	 * @throws Exception One is malformed.
	 */
	public function validate_test_secrets_field( string $key, mixed $value ): string {
		$secrets = preg_split( '/\s+/', (string) $value, -1, PREG_SPLIT_NO_EMPTY );
		$secrets = is_array( $secrets ) ? $secrets : array();
		if ( in_array( null, array_map( array( Signature::class, 'key' ), $secrets ), true ) ) {
			throw new Exception( esc_html__( 'A webhook secret is whsec_ followed by base64, one in a line, as the gateway showed it.', 'streampay-for-woocommerce' ) );
		}
		return implode( "\n", $secrets );
	}

	/**
	 * The same for live mode.
	 *
	 * @param string $key   The field.
	 * @param mixed  $value What was typed.
	 */
	public function validate_live_secrets_field( string $key, mixed $value ): string {
		return $this->validate_test_secrets_field( $key, $value );
	}

	/**
	 * Show the button that tests the settings.
	 *
	 * @param string               $key  The field.
	 * @param array<string, mixed> $data Its description.
	 */
	public function generate_self_test_html( string $key, array $data ): string {
		return Self_Test::button( (string) $data['title'] );
	}

	/**
	 * Send the shopper to the page on which the order is paid.
	 *
	 * @param int $order_id The order.
	 * @return array<string, string>
	 */
	public function process_payment( $order_id ): array {
		$order = wc_get_order( $order_id );
		if ( ! $order instanceof WC_Order ) {
			return array( 'result' => 'failure' );
		}
		try {
			$settings = $this->facts();
			$checkout = new Checkout( $settings, Api::from( $settings ), $this->get_return_url( $order ) );
			return array( 'result' => 'success', 'redirect' => $checkout->url( $order->get_id() ) );
		} catch ( Api_Error $error ) {
			Log::warning( 'session_refused', array( 'order' => $order->get_id(), 'code' => $error->word, 'detail' => $error->detail, 'request' => $error->request_id ) );
			$message = 'session_not_open' === $error->word
				? __( 'A payment for this order is on its way already. Please wait a moment and reload the page.', 'streampay-for-woocommerce' )
				: __( 'We could not reach the payment page. Nothing was charged. Please try again.', 'streampay-for-woocommerce' );
		} catch ( Busy_Error ) {
			$message = __( 'Your order is being processed already. Please wait a moment and try again.', 'streampay-for-woocommerce' );
		} catch ( InvalidArgumentException $error ) {
			Log::warning( 'order_not_payable', array( 'order' => $order->get_id(), 'reason' => $error->getMessage() ) );
			$message = __( 'This order cannot be paid online. Please contact us.', 'streampay-for-woocommerce' );
		}
		wc_add_notice( $message, 'error' );
		return array( 'result' => 'failure' );
	}

	/**
	 * Give money back.
	 *
	 * @param int         $order_id The order.
	 * @param string|null $amount   In the order's currency; null for all of it.
	 * @param string      $reason   The merchant's own words stay in WooCommerce.
	 * @return bool|WP_Error
	 */
	public function process_refund( $order_id, $amount = null, $reason = '' ): bool|WP_Error {
		return Refunds::give_back( (int) $order_id, $amount, Api::from( $this->facts() ) );
	}

	/**
	 * Tell whether there is money of ours to give back.
	 *
	 * @param WC_Order $order The order.
	 */
	public function can_refund_order( $order ): bool {
		return $order instanceof WC_Order && parent::can_refund_order( $order ) && '' !== (string) $order->get_meta( Order_State::PAID_BY );
	}

	/**
	 * Return the page of an order's payment, which is its receipt once it is paid.
	 *
	 * @param WC_Order $order The order.
	 */
	public function get_transaction_url( $order ): string {
		$url = $order instanceof WC_Order ? (string) $order->get_meta( Order_State::URL ) : '';
		return (string) apply_filters( 'woocommerce_get_transaction_url', $url, $order, $this );
	}

	private function facts(): Settings {
		return new Settings( $this->settings );
	}
}
